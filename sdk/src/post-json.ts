/** Sends the server what it asks of verifiers in the background: wishes for leases, and reports of usage. */
import type { Config } from './options.ts'

const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([400, 404, 413, 422])

/** The server does not take this, however often it is sent. */
export class NotTaken extends Error {
  override readonly name = 'NotTaken'
}

/** The answer's JSON. Rejects when there is no answer, with `NotTaken` where another attempt makes no sense. */
export async function postJson(config: Config, path: string, body: object): Promise<unknown> {
  const response = await config.fetch(`${config.server}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${config.credential}`,
      'content-type': 'application/json',
      accept: 'application/json',
    },
    body: JSON.stringify(body),
    // Followed, a redirect would carry the credential to wherever it points.
    redirect: 'manual',
    signal: AbortSignal.timeout(config.timeoutMs),
  })
  if (response.status === 200) return response.json()
  await response.body?.cancel()
  const answered = `${path} was answered with ${response.status}`
  throw REFUSED_FOR_GOOD.has(response.status) ? new NotTaken(answered) : new Error(answered)
}
