/** Where in Airflow a tab is; texts are empty and the index is -1 where it does not apply. */
export type TabProps = { dagId: string; runId: string; taskId: string; mapIndex: number };
