/** Counters of a relay, as Prometheus text (exposition format 0.0.4). No labels: nothing about a space or a person. */
const HELP = {
  entries_in: 'Entries stored.',
  entries_refused: 'Entries refused.',
  entries_out: 'Messages of entries sent.',
  chunks_in: 'Chunks of files stored.',
  chunks_out: 'Chunks of files sent.',
  frames_in: 'Frames received.',
  pages: 'Pages of reads sent.',
  presence: 'Presence messages passed on.',
  refused: 'Connections that proved no current key.',
  malformed: 'Connections ended for a malformed frame or a forged record.',
  images_refused: 'Images of spaces that were damaged or of another log: the log was replayed.',
  slow: 'Connections ended for reading too slowly.',
  flood: 'Connections ended for sending too much.',
} as const
export type Metric = keyof typeof HELP

export class Metrics {
  readonly #counts = new Map<Metric, number>()
  readonly #gauges: () => Readonly<Record<string, number>>

  constructor(gauges: () => Readonly<Record<string, number>>) {
    this.#gauges = gauges
  }

  count(metric: Metric, by = 1): void {
    this.#counts.set(metric, (this.#counts.get(metric) ?? 0) + by)
  }
  get(metric: Metric): number {
    return this.#counts.get(metric) ?? 0
  }

  format(): string {
    const lines: string[] = []
    for (const [metric, help] of Object.entries(HELP)) {
      lines.push(`# HELP sealdb_relay_${metric}_total ${help}`, `# TYPE sealdb_relay_${metric}_total counter`, `sealdb_relay_${metric}_total ${this.get(metric as Metric)}`)
    }
    for (const [gauge, value] of Object.entries(this.#gauges())) lines.push(`# TYPE sealdb_relay_${gauge} gauge`, `sealdb_relay_${gauge} ${value}`)
    return lines.join('\n') + '\n'
  }
}
