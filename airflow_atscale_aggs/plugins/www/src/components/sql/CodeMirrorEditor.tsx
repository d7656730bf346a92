import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  type Completion,
  type CompletionContext,
  completionKeymap,
  insertCompletionText,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL } from "@codemirror/lang-sql";
import { LanguageSupport, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, keymap, placeholder as placeholderOf } from "@codemirror/view";
import { useEffect, useRef } from "react";

import { highlighter } from "./sql_highlighting";
import { KEYWORDS, quoteName, wordBefore } from "./sql_names";
import type { SqlEditorProps } from "./SqlEditor";

/** Writes a name. The closing quote that the editor has set by itself is taken along. */
const write = (view: EditorView, { label }: Completion, from: number, to: number) => {
  const end = label.endsWith('"') && view.state.sliceDoc(to, to + 1) === '"' ? to + 1 : to;
  view.dispatch(insertCompletionText(view.state, label, from, end));
};

const keywords: Completion[] = KEYWORDS.map((label) => ({ label, type: "keyword" }));

/** Offers names, then words of SQL, after a letter or an opening quote. */
const completion = (names: NonNullable<SqlEditorProps["names"]>) => {
  const options: Completion[] = [
    ...names.map(({ name, kind, detail, text }) => ({
      label: text ?? quoteName(name),
      type: kind,
      detail,
      apply: write,
      boost: 1,
    })),
    ...keywords,
  ];
  return PostgreSQL.language.data.of({
    autocomplete: (context: CompletionContext) => {
      const begin = context.state.doc.lineAt(context.pos).from;
      const length = wordBefore(context.state.sliceDoc(begin, context.pos)).length;
      return length === 0 && !context.explicit ? null : { from: context.pos - length, options };
    },
  });
};

/** CodeMirror as a React component; see SqlEditor, which loads it. */
export default function CodeMirrorEditor(props: SqlEditorProps) {
  const { value, onChange, label, onRun, onExplain, names, placeholder = "", onReady } = props;
  const parent = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const offered = useRef(new Compartment());
  const latest = useRef({ onChange, onRun, onExplain });

  useEffect(() => {
    latest.current = { onChange, onRun, onExplain };
  });

  useEffect(() => {
    if (parent.current === null) {
      return undefined;
    }
    const press = (key: "onRun" | "onExplain") => () => {
      latest.current[key]?.();
      return latest.current[key] !== undefined;
    };
    view.current = new EditorView({
      parent: parent.current,
      state: EditorState.create({
        extensions: [
          history(),
          closeBrackets(),
          autocompletion({ icons: false }),
          new LanguageSupport(PostgreSQL.language),
          offered.current.of([]),
          syntaxHighlighting(highlighter),
          EditorView.lineWrapping,
          placeholderOf(placeholder),
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) {
              latest.current.onChange(update.state.doc.toString());
            }
          }),
          keymap.of([
            { key: "Mod-Enter", run: press("onRun") },
            { key: "Mod-Shift-Enter", run: press("onExplain") },
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
  }, [label, placeholder]);

  useEffect(() => {
    onReady?.((text) => {
      const editor = view.current;
      if (editor !== null) {
        editor.dispatch(editor.state.replaceSelection(text), { scrollIntoView: true });
        editor.focus();
      }
    });
  }, [onReady]);

  useEffect(() => {
    const editor = view.current;
    if (editor !== null && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
    }
  }, [value, label, placeholder]);

  useEffect(() => {
    view.current?.dispatch({ effects: offered.current.reconfigure(completion(names ?? [])) });
  }, [names, label, placeholder]);

  return <div ref={parent} />;
}
