/** `npm test`: one Postgres for the whole run, then every test file of the repository. Arguments narrow the files. */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { startCluster } from './postgres-cluster.ts'

const named = process.argv.slice(2)
const files =
  named.length > 0
    ? named
    : globSync(
        ['server/**/*.test.ts', 'sdk/test/**/*.test.ts', 'examples/**/*.test.ts', 'bench/**/*.test.ts'],
        {
          exclude: (name) => name.includes('node_modules'),
        },
      ).sort()

const cluster = await startCluster()
const run = spawn(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    ...files,
  ],
  { stdio: 'inherit', env: { ...process.env, POSTERN_TEST_POSTGRES: cluster.url } },
)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => run.kill(signal))
const code = await new Promise<number>((resolve) => run.on('exit', (status) => resolve(status ?? 1)))
await cluster.stop()
process.exit(code)
