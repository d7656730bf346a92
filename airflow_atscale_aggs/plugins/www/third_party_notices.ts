import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import type { Plugin } from "vite";

const FILE = "THIRD_PARTY_NOTICES.txt";
const RULE = "-".repeat(80);

const HEAD = `The Aggregates page contains parts of the libraries below, as their authors published them. Each stands with its
licence, and with the place where its source text can be had.
`;

type Library = {
  name: string;
  version: string;
  license?: string;
  homepage?: string;
  repository?: string | { url?: string };
};

/** The folder of the library that a module belongs to; undefined for our own modules. */
const libraryOf = (module: string): string | undefined =>
  /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(module.replace(/^\0/, ""))?.[1];

const read = (file: string): string => readFileSync(file, "utf8").replaceAll("\r\n", "\n").trim();

const licenseText = (folder: string): string => {
  const files = readdirSync(folder)
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort();
  return files.map((name) => read(path.join(folder, name))).join("\n\n");
};

const sourceOf = ({ repository, homepage }: Library): string => {
  const url = typeof repository === "string" ? repository : repository?.url;
  const address = (url ?? homepage ?? "")
    .replace(/^git\+/, "")
    .replace(/^git@github\.com:/, "https://github.com/")
    .replace(/\.git$/, "");
  return /^[\w-]+\/[\w.-]+$/.test(address) ? `https://github.com/${address}` : address;
};

const entryOf = (folder: string): { title: string; text: string } => {
  const library = JSON.parse(read(path.join(folder, "package.json"))) as Library;
  const title = `${library.name} ${library.version}`;
  const license = library.license ?? "see below";
  const text = licenseText(folder);
  return {
    title,
    text: [
      RULE,
      `${title} (${license})`,
      `Source: ${sourceOf(library)}`,
      RULE,
      "",
      text === "" ? `Its package holds no text of the licence ${license}.` : text,
      "",
    ].join("\n"),
  };
};

/**
 * Write beside the bundle which libraries are in it, with their versions, licences and sources.
 *
 * The build fails where a library names no licence, so that none comes in unseen.
 */
export function thirdPartyNotices(): Plugin {
  return {
    name: "third-party-notices",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((output) =>
        output.type === "chunk"
          ? Object.keys(output.modules)
          : output.originalFileNames.map((name) => path.resolve(name)),
      );
      const folders = new Set(modules.map(libraryOf).filter((folder) => folder !== undefined));
      const known = [...folders].filter((folder) => existsSync(path.join(folder, "package.json")));
      const entries = known.map(entryOf).sort((one, other) => (one.title < other.title ? -1 : 1));
      const silent = entries.filter(({ text }) => text.includes("(see below)"));
      if (silent.length > 0) {
        this.error(`These libraries name no licence: ${silent.map(({ title }) => title).join(", ")}`);
      }
      this.emitFile({
        type: "asset",
        fileName: FILE,
        source: [HEAD, ...entries.map(({ text }) => text)].join("\n"),
      });
    },
  };
}
