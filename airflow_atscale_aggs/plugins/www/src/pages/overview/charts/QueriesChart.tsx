import { useMemo } from "react";
import { Bar } from "react-chartjs-2";

import { useTokenColors } from "src/hooks/useTokenColors";
import { formatCompact } from "src/utils/numbers";

import type { DayFigures } from "../overview";
import { chartOptions, dayLabel } from "./chart_setup";
import { OUTCOME_TOKENS, TOKENS } from "./tokens";

type Props = { days: readonly DayFigures[]; label: string };

/** Queries by day, by what answered them. */
export default function QueriesChart({ days, label }: Props) {
  const colors = useTokenColors(TOKENS);
  const data = useMemo(
    () => ({
      labels: days.map(({ day }) => dayLabel(day)),
      datasets: OUTCOME_TOKENS.map(({ name, key, token }) => ({
        label: name,
        data: days.map((day) => day[key]),
        backgroundColor: colors[token],
        maxBarThickness: 28,
        categoryPercentage: 0.85,
      })),
    }),
    [days, colors],
  );
  const options = useMemo(
    () =>
      chartOptions(
        { text: colors["fg.muted"], grid: colors.border, panel: colors["bg.panel"] },
        formatCompact,
        { isStacked: true },
      ),
    [colors],
  );
  return <Bar aria-label={label} data={data} options={options} role="img" />;
}
