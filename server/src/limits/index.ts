/**
 * Limits: who may do how much. Plans and limits of keys, owners, clients, tenants and resources, decided at the end of a
 * verify; leases, with which verifiers decide by themselves; and the server's own endpoints, by address and by caller.
 */
export { createAdmit, type OwnLimits } from './admit-request.ts'
export type { BoundLimit, Charged } from './bound-limit.ts'
export { inheritLimits, type LimitContext } from './change-limits.ts'
export { type LimitDecision, Limits, type LimitState, statesText } from './decide.ts'
export type { LimitsOf } from './find-limits.ts'
export { leaseRoutes } from './lease-routes.ts'
export { Leases } from './leases.ts'
export { LARGEST_COST } from './limit.ts'
export { LimitStateBody } from './limit-schema.ts'
export { type LimitsOptions, type OpenedLimits, openLimits } from './open-limits.ts'
export { planRoutes } from './plan-routes.ts'
export { rateLimitHeaders } from './rate-limit-headers.ts'
export { limitRoutes } from './routes.ts'
export { type Rate, TokenBuckets } from './token-bucket.ts'
