/**
 * Usage: which credential was used for what, when and with which result. Counted after the reply, here and by verifiers
 * alike, and kept by minute, hour and day.
 */
export { tendUsage, type UsageKept } from './keep-usage.ts'
export { readOwnKeyUsage } from './read-usage.ts'
export { KeyUsageBody, presentKeyUsage, usageRoutes } from './routes.ts'
export { type Used, UsageMeter } from './usage-meter.ts'
