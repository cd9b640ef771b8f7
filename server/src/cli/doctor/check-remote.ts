/** A server elsewhere, as far as it can be seen from here. */
import type { Cli } from '../cli.ts'
import { explainError } from '../explain-error.ts'
import { compareClocks } from './check-machine.ts'
import { fail, type Finding, ok, warn } from './finding.ts'

export async function* checkRemote(cli: Cli, url: string): AsyncGenerator<Finding> {
  if (url.startsWith('https://')) yield ok('https', `${url} is reached by https.`)
  else yield ok('https', `Plain http, on this machine alone (${url}).`)
  const client = await cli.client()
  try {
    const ready = await client.request('GET', '/readyz')
    if (ready.status === 200) yield ok('reachable', `${url} is ready.`)
    else
      yield fail(
        'reachable',
        `${url} answers, but is not ready (${ready.status}).`,
        "Look into the server's log, and run doctor there.",
      )
    const date = Date.parse(ready.headers['date'] ?? '')
    // The header counts whole seconds.
    if (Number.isNaN(date))
      yield warn(
        'clock',
        'The server does not tell its time.',
        'A proxy may have taken the Date header away.',
      )
    else yield compareClocks(date + 500 - cli.io.nowMs(), url)
  } catch (error) {
    const { message, hint } = explainError(error, false)
    yield fail('reachable', message, hint ?? 'Check POSTERN_URL.')
  }
}
