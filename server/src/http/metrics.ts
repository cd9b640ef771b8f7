/** Placeholder of the face; filled in next. */
import type { onResponseHookHandler } from 'fastify'

export interface Metrics {
  readonly observe: onResponseHookHandler
}
