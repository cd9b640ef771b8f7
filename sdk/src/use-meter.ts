/** Notes what each request came to, after the decision: whatever the server has not counted itself. */
import type { Clock } from './clock.ts'
import type { Credential } from './credentials.ts'
import type { Config } from './options.ts'
import { NotTaken, postJson } from './post-json.ts'
import type { Result } from './principal.ts'
import { UsageReporter } from './usage.ts'

/** What is counted of a request beside its result. */
export interface Use {
  readonly route: string
  readonly ip: string | undefined
  readonly scopes: readonly string[]
}

/** As the server calls it. */
export const UNNAMED_ROUTE = 'verify'
const LONGEST_ROUTE = 200

/** A name that the server takes: a report with another one would be refused whole. */
export function routeName(route: string | undefined): string {
  if (route === undefined || route === '') return UNNAMED_ROUTE
  const name = route.includes('\0') ? route.replaceAll('\0', '?') : route
  return name.length > LONGEST_ROUTE ? name.slice(0, LONGEST_ROUTE) : name
}

export class UseMeter {
  readonly #resource: string
  readonly #reporter: UsageReporter | undefined

  constructor(config: Config, clock: Clock, warn: (message: string) => void) {
    this.#resource = config.resource
    if (!config.usage) return
    this.#reporter = new UsageReporter({
      send: (report) =>
        postJson(config, '/v1/usage/reports', report).catch((error: unknown) => {
          warn('Postern: the server did not take a report of usage.')
          // Whatever is wrong with it, those behind it shall not wait for it.
          if (!(error instanceof NotTaken)) throw error
        }),
      nowMs: () => clock.nowMs(),
      newId: () => crypto.randomUUID(),
      after: (ms, act) => clock.after(ms, act),
    })
  }

  /** `known`: whose request it was, where that was found out. */
  note(result: Result, known: Credential | undefined, { route, ip, scopes }: Use): void {
    const reporter = this.#reporter
    if (!reporter) return
    const code = result.valid ? 'valid' : result.code
    if (!known) {
      reporter.note({ credential: '', tenant: '', resource: this.#resource, route, result: code }, ip)
      return
    }
    const about = { route, result: code }
    if (reporter.noteAgain(known.cell, about, ip, scopes)) return
    const { clientId: client, tenant } = known.principal
    known.cell = reporter.note(
      {
        credential: known.usedAs,
        ...(client !== undefined && { client }),
        tenant,
        resource: this.#resource,
        ...about,
      },
      ip,
      scopes,
    )
  }

  stop(): Promise<void> {
    return this.#reporter?.stop() ?? Promise.resolve()
  }
}
