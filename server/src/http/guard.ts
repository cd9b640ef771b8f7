/**
 * What stands before every handler, and before the body is read: the limit by address, the credential, the scope, the
 * limit by caller. Synchronous where the ports are: the hot path pays for no promise.
 */
import { denial } from '../kernel/index.ts'
import type { Access, Admit, Authenticate, Caller, Denial } from '../kernel/index.ts'
import type { FastifyRequest, onRequestHookHandler } from 'fastify'
import { readIdempotencyKey } from './idempotency.ts'
import { refuseNul } from './nul.ts'
import { sendProblem } from './send-problem.ts'
import { problemOfDenial } from './problem.ts'
import { setApiHeaders } from './security-headers.ts'

export interface GuardPorts {
  readonly authenticate: Authenticate
  readonly admit: Admit | undefined
}

export interface GuardedRoute {
  readonly access: Access
  readonly url: string
  readonly idempotent?: boolean
  readonly bearerOnly?: boolean
  readonly openTo?: (request: FastifyRequest) => boolean
}

export function guardRoute(
  ports: GuardPorts,
  { access, url: route, idempotent, bearerOnly, openTo }: GuardedRoute,
): onRequestHookHandler {
  const { authenticate, admit } = ports
  const scope =
    access.kind === 'management' ? access.scope : access.kind === 'verifier' ? 'verify' : undefined

  const others = access.kind === 'management' ? access.orScopes : undefined

  return function guard(request, reply, done) {
    // The hot path sends its own (see sendJsonAtOnce), and a refusal brings them along.
    if (access.kind !== 'verifier') setApiHeaders(reply, request.id)
    const limitByAddress = (): Denial | undefined => admit?.({ ip: request.ip ?? '', route })

    // A gateway asks for thousands of its callers from one address: there, only what is refused is counted.
    const early = access.kind === 'verifier' ? undefined : limitByAddress()
    if (early) return refuse(early)
    if (access.kind === 'public' || openTo?.(request)) return begin()

    if (bearerOnly && request.headers['x-api-key'] !== undefined) return refuse(denial('unsupported'))

    let answer: ReturnType<Authenticate>
    try {
      answer = authenticate(request, access)
    } catch (error) {
      return done(error as Error)
    }
    if (answer instanceof Promise) answer.then(settle).catch(fail)
    else settle(answer)

    function settle(outcome: Caller | Denial): void {
      if ('valid' in outcome) return refuse((access.kind === 'verifier' && limitByAddress()) || outcome)
      const { scopes } = outcome
      if (scope !== undefined && !scopes.includes(scope) && !others?.some((one) => scopes.includes(one)))
        return refuse(denial('insufficient_scope', { scopes: [scope] }))
      const limited = admit?.({ ip: request.ip ?? '', route, callerId: outcome.id })
      if (limited) return refuse(limited)
      request.caller = outcome
      begin()
    }

    function fail(error: Error): void {
      done(error)
    }

    function begin(): void {
      try {
        if (access.kind !== 'verifier') refuseNul(request.url)
        if (idempotent) readIdempotencyKey(request)
      } catch (error) {
        return done(error as Error)
      }
      done()
    }

    function refuse(refusal: Denial): void {
      sendProblem(reply, request, problemOfDenial(refusal))
    }
  }
}
