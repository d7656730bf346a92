import type { InstanceDetail } from "../documents";

type Task = Pick<InstanceDetail, "dag_id" | "run_id" | "task_id" | "map_index">;

/** The address of the task instance that builds an instance, in Airflow's UI; empty where there is none. */
export const taskAddress = ({ dag_id: dag, run_id: run, task_id: task, map_index: index }: Task): string => {
  if (dag === null || run === null || task === null) {
    return "";
  }
  const [dagPart, runPart, taskPart] = [dag, run, task].map(encodeURIComponent);
  const mapped = index === null || index < 0 ? "" : `/mapped/${index}`;
  return `/dags/${dagPart}/runs/${runPart}/tasks/${taskPart}${mapped}`;
};
