import { useMemo } from "react";
import { Line } from "react-chartjs-2";

import { useTokenColors } from "src/hooks/useTokenColors";
import { formatSeconds } from "src/utils/numbers";

import type { DayFigures } from "../overview";
import { chartOptions, dayLabel, timeStep } from "./chart_setup";
import { TOKENS } from "./tokens";

type Props = { days: readonly DayFigures[]; label: string };

/** Seconds that were saved, by day. */
export default function SavingsChart({ days, label }: Props) {
  const colors = useTokenColors(TOKENS);
  const data = useMemo(
    () => ({
      labels: days.map(({ day }) => dayLabel(day)),
      datasets: [
        {
          label: "Saved",
          data: days.map((day) => day.seconds_saved),
          borderColor: colors["brand.solid"],
          backgroundColor: colors["brand.subtle"],
          borderWidth: 2,
          fill: true,
          pointRadius: days.length > 31 ? 0 : 2,
          pointHitRadius: 12,
          tension: 0.2,
        },
      ],
    }),
    [days, colors],
  );
  const options = useMemo(
    () =>
      chartOptions(
        { text: colors["fg.muted"], grid: colors.border, panel: colors["bg.panel"] },
        formatSeconds,
        { stepSize: timeStep(Math.max(...days.map((day) => day.seconds_saved))) },
      ),
    [colors, days],
  );
  return <Line aria-label={label} data={data} options={options} role="img" />;
}
