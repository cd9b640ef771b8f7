/**
 * Tells the server of a credential that stood in a URL, so that its owner learns of it from the activity log. A hint,
 * not a duty: it is bounded, it never delays an answer, and a failure is forgotten.
 */
import { askServer } from './ask-server.ts'
import { BoundedCache } from './bounded-cache.ts'
import { Budget } from './budget.ts'
import type { Clock } from './clock.ts'
import { digestOf } from './digest.ts'
import { hasTypo, isCredentialText } from './key-format.ts'
import type { Config } from './options.ts'

const AGAIN_MS = 60 * 1000
const PER_SECOND = 2
const BURST = 20

export type ReportExposure = (credential: string, url: string) => Promise<void>

/** Each credential at most once a minute, and two reports a second in the long run. */
export function exposureReporter(config: Config, clock: Clock): ReportExposure {
  const reported = new BoundedCache<number>(1000)
  const budget = new Budget(PER_SECOND, BURST, clock)
  return async (credential, url) => {
    if (!isCredentialText(credential) || hasTypo(credential)) return
    const digest = await digestOf(credential)
    const last = reported.get(digest)
    const now = clock.monotonicMs()
    if ((last !== undefined && now - last < AGAIN_MS) || !budget.take()) return
    reported.set(digest, now)
    const { resource, environment, tenant } = config
    await askServer(config, { credential, resource, environment, tenant, url: exposingUrl(credential, url) })
  }
}

/** The path and the credential alone: the other parameters are none of the server's business. */
function exposingUrl(credential: string, url: string): string {
  const path = url.split('?', 1)[0] as string
  return path.includes(credential) ? path.slice(0, 1000) : `${path.slice(0, 500)}?${credential}`
}
