import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  type CompletionContext,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { useEffect, useRef } from "react";

import { highlighter } from "./sql_highlighting";
import type { SqlEditorProps } from "./SqlEditor";

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Offers names after a word or an opening quote. */
const completion = (names: NonNullable<SqlEditorProps["names"]>) =>
  PostgreSQL.language.data.of({
    autocomplete: (context: CompletionContext) => {
      const word = context.matchBefore(/"[^"]*|\w+/);
      return word === null && !context.explicit
        ? null
        : {
            from: word?.from ?? context.pos,
            options: names.map(({ name, kind, detail }) => ({ label: quoted(name), type: kind, detail })),
          };
    },
  });

/** CodeMirror as a React component; see SqlEditor, which loads it. */
export default function CodeMirrorEditor({ value, onChange, label, onRun, names }: SqlEditorProps) {
  const parent = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const offered = useRef(new Compartment());
  const latest = useRef({ onChange, onRun });

  useEffect(() => {
    latest.current = { onChange, onRun };
  });

  useEffect(() => {
    if (parent.current === null) {
      return undefined;
    }
    const run = () => {
      latest.current.onRun?.();
      return latest.current.onRun !== undefined;
    };
    view.current = new EditorView({
      parent: parent.current,
      state: EditorState.create({
        extensions: [
          history(),
          closeBrackets(),
          autocompletion(),
          sql({ dialect: PostgreSQL, upperCaseKeywords: true }),
          offered.current.of([]),
          syntaxHighlighting(highlighter),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) {
              latest.current.onChange(update.state.doc.toString());
            }
          }),
          keymap.of([
            { key: "Mod-Enter", run },
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...defaultKeymap,
            ...historyKeymap,
          ]),
        ],
      }),
    });
    return () => {
      view.current?.destroy();
      view.current = null;
    };
  }, [label]);

  useEffect(() => {
    const editor = view.current;
    if (editor !== null && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value, label]);

  useEffect(() => {
    view.current?.dispatch({ effects: offered.current.reconfigure(completion(names ?? [])) });
  }, [names, label]);

  return <div ref={parent} />;
}
