/**
 * HTTP: Fastify set-up, `declareRoute()` (a route cannot exist without its access), problems, documentation and health.
 * It never imports a domain: `app.ts` hands it `authenticate`, which is verify, and `admit`, which is limits.
 */
export { createServer } from './server.ts'
export type { ServerOptions } from './server.ts'
export { declareRoute, sendJson } from './declare-route.ts'
export type { ContentSchema, DeclaredRoute, Route, RouteRequest, RouteSchema } from './declare-route.ts'
export { createLogger } from './logger.ts'
export type { LoggerOptions } from './logger.ts'
export { idempotencyOf } from './idempotency.ts'
export type { Idempotency } from './idempotency.ts'
export { problemOf, problemOfDenial } from './problem.ts'
export type { Problem } from './problem.ts'
export { sendProblem } from './send-problem.ts'
export * from './common-schemas.ts'
export { create, type OnceStore } from './creation.ts'
