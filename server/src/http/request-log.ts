/**
 * A request's log. The hot route answers tens of thousands of requests a second, so a request gets no line at `info`, and
 * its logger (which knows the request id) is only made when something is written.
 */
import { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify'

type Write = (...words: unknown[]) => void

class LazyLog {
  readonly #parent: FastifyBaseLogger
  readonly #bindings: Record<string, unknown>
  #child: FastifyBaseLogger | undefined

  constructor(parent: FastifyBaseLogger, bindings: Record<string, unknown>) {
    this.#parent = parent
    this.#bindings = bindings
  }
  get #log(): FastifyBaseLogger {
    this.#child ??= this.#parent.child(this.#bindings)
    return this.#child
  }
  get level(): string {
    return this.#parent.level
  }
  child(...words: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#log.child(...words)
  }
  isLevelEnabled(level: string): boolean {
    return isEnabled(this.#parent, level)
  }
  fatal(...words: unknown[]): void {
    ;(this.#log.fatal as Write)(...words)
  }
  error(...words: unknown[]): void {
    ;(this.#log.error as Write)(...words)
  }
  warn(...words: unknown[]): void {
    ;(this.#log.warn as Write)(...words)
  }
  info(...words: unknown[]): void {
    ;(this.#log.info as Write)(...words)
  }
  debug(...words: unknown[]): void {
    if (isEnabled(this.#parent, 'debug')) (this.#log.debug as Write)(...words)
  }
  trace(...words: unknown[]): void {
    if (isEnabled(this.#parent, 'trace')) (this.#log.trace as Write)(...words)
  }
  silent(): void {}
}

function isEnabled(log: FastifyBaseLogger, level: string): boolean {
  return (log as { isLevelEnabled?: (level: string) => boolean }).isLevelEnabled?.(level) ?? true
}

export function createRequestLog(
  parent: FastifyBaseLogger,
  bindings: Record<string, unknown>,
): FastifyBaseLogger {
  return new LazyLog(parent, bindings) as unknown as FastifyBaseLogger
}

/** Fastify's own lines about a request, one instead of two, at `debug`. */
export class DebugLogController extends LogController {
  override incomingRequest(): void {}
  override routeNotFound(): void {}
  override defaultErrorLog(): void {}
  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    if (error) return request.log.warn({ err: error }, 'the connection failed before the answer was sent')
    if (!isEnabled(request.log, 'debug')) return
    const { method, url, ip } = request
    const milliseconds = Math.round(reply.elapsedTime * 10) / 10
    request.log.debug({ method, url, ip, status: reply.statusCode, milliseconds }, 'request answered')
  }
}
