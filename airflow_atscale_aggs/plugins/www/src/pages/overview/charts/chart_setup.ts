/** chart.js with what our charts need; loaded with them. */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartOptions,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";
import dayjs from "dayjs";

Chart.register(
  BarController,
  BarElement,
  CategoryScale,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
);

/** `28 Nov`; days are those of UTC, which the API counts by. */
export const dayLabel = (day: string): string => dayjs(day).format("D MMM");

const TIME_STEPS = [
  0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18_000, 36_000, 86_400,
];

/** Seconds between two lines of a scale, so that each is a round time: `10 min`, not `8 min 20 s`. */
export const timeStep = (most: number): number =>
  TIME_STEPS.find((step) => most / step <= 5) ?? Math.ceil(most / 5 / 86_400) * 86_400;

type Looks = { text: string; grid: string; panel: string };

/** What both charts share: no legend of its own, no animation, the theme's colours. */
export const chartOptions = (
  looks: Looks,
  format: (value: number) => string,
  { isStacked = false, stepSize }: { isStacked?: boolean; stepSize?: number } = {},
): ChartOptions<"bar"> & ChartOptions<"line"> => ({
  animation: false,
  maintainAspectRatio: false,
  responsive: true,
  interaction: { mode: "index", intersect: false },
  plugins: {
    tooltip: {
      callbacks: {
        label: ({ dataset, parsed }) => `${dataset.label ?? ""}: ${format(parsed.y ?? 0)}`,
      },
    },
  },
  scales: {
    x: {
      stacked: isStacked,
      border: { color: looks.grid },
      grid: { display: false },
      ticks: { color: looks.text, maxRotation: 0, autoSkipPadding: 16 },
    },
    y: {
      stacked: isStacked,
      beginAtZero: true,
      border: { display: false },
      grid: { color: looks.grid },
      ticks: {
        color: looks.text,
        maxTicksLimit: 6,
        precision: 0,
        stepSize,
        callback: (value) => format(Number(value)),
      },
    },
  },
});
