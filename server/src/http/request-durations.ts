/**
 * A histogram of request durations by route and status. prom-client's own hashes its labels on every observation, which
 * costs more than all else that a verify does; this one finds its row by two small look-ups.
 */
import type { Metric } from 'prom-client'

const BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10] as const
const NAME = 'postern_http_request_duration_seconds'

interface Row {
  /** One for each bound, and one for what is above all. Not cumulative. */
  readonly buckets: number[]
  sumSeconds: number
  count: number
}

export class RequestDurations {
  readonly #rows = new Map<string, Map<number, Row>>()

  /** `route` is the pattern; without one it is an unknown path, and those count as one. */
  add(route: string | undefined, status: number, seconds: number): void {
    const row = this.#rowOf(route ?? '*', status)
    let bucket = 0
    while (bucket < BOUNDS_SECONDS.length && seconds > (BOUNDS_SECONDS[bucket] as number)) bucket += 1
    row.buckets[bucket] = (row.buckets[bucket] ?? 0) + 1
    row.sumSeconds += seconds
    row.count += 1
  }

  #rowOf(route: string, status: number): Row {
    let byStatus = this.#rows.get(route)
    if (!byStatus) this.#rows.set(route, (byStatus = new Map()))
    let row = byStatus.get(status)
    if (!row)
      byStatus.set(
        status,
        (row = { buckets: BOUNDS_SECONDS.map(() => 0).concat(0), sumSeconds: 0, count: 0 }),
      )
    return row
  }

  /** As the registry wants it: an object with a name that answers its values. */
  asMetric(): Metric {
    const metric = { name: NAME, get: async () => this.#read(), reset: () => this.#rows.clear() }
    return metric as unknown as Metric
  }

  #read(): object {
    const values: object[] = []
    for (const [route, byStatus] of this.#rows)
      for (const [status, row] of byStatus) {
        const labels = { route, status: String(status) }
        let sum = 0
        for (const [index, count] of row.buckets.entries()) {
          sum += count
          const le = BOUNDS_SECONDS[index] ?? '+Inf'
          values.push({ metricName: `${NAME}_bucket`, labels: { ...labels, le }, value: sum })
        }
        values.push({ metricName: `${NAME}_sum`, labels, value: row.sumSeconds })
        values.push({ metricName: `${NAME}_count`, labels, value: row.count })
      }
    const help = 'Seconds from the first byte of a request to the last of its answer, by route and status.'
    return { name: NAME, help, type: 'histogram', values, aggregator: 'sum' }
  }
}
