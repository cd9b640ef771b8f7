/**
 * `npm run bench`: every benchmark, or the ones that are named. `--quick` for a minute instead of five. All numbers that
 * matter are ratios between things measured in turn in the same run: the rest depends on the machine and its mood.
 */
import { cpus, loadavg } from 'node:os'
import type { Bench } from './bench.ts'
import { denyRows } from './deny-rows.ts'
import { local } from './local.ts'
import { gateway } from './gateway.ts'
import { manyKeys } from './many-keys.ts'
import { printTable } from './measure.ts'
import { limits } from './limits.ts'
import { locked } from './locked.ts'
import { revocation } from './revocation.ts'
import { start } from './start.ts'
import { steady } from './steady.ts'
import { tokens } from './tokens.ts'
import { usage } from './usage.ts'
import { verify } from './verify.ts'
import { writes } from './writes.ts'

const BENCHES: readonly Bench[] = [
  start,
  verify,
  gateway,
  local,
  tokens,
  revocation,
  denyRows,
  locked,
  manyKeys,
  writes,
  limits,
  usage,
  steady,
]

const named = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const quick = process.argv.includes('--quick')
const unknown = named.filter((name) => !BENCHES.some((bench) => bench.name === name))
if (unknown.length > 0) {
  console.error(
    `No benchmark ${unknown.join(', ')}; there are: ${BENCHES.map(({ name }) => name).join(', ')}.`,
  )
  process.exit(2)
}

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)} before the start\n`,
)
const startedMs = performance.now()
let missed = 0
const chosen = BENCHES.filter(({ name, onlyNamed }) =>
  named.length === 0 ? !onlyNamed : named.includes(name),
)
for (const bench of chosen) {
  const lines = await bench.run({ quick })
  printTable(`${bench.name}: ${bench.about}`, lines)
  missed += lines.filter((line) => line.target && !line.target.met).length
}
console.log(
  `${missed === 0 ? 'Every target was met' : `${missed} target(s) missed`}, after ${Math.round((performance.now() - startedMs) / 1000)} s.`,
)
