/**
 * Audit: committed changes in a hash chain, written in their own transaction; beside it the activity log, which counts
 * refusals in batches.
 */
export { type Activity, ActivityLog } from './activity-log.ts'
export { type AuditEvent, chainHash, GENESIS } from './audit-event.ts'
export { type Change, recordChange } from './record-change.ts'
export { auditRoutes } from './routes.ts'
export {
  type AuditFilter,
  type ChainedEvent,
  type ChainHead,
  createChain,
  findEvent,
  listEvents,
  readHead,
} from './store.ts'
export { type ChainCheck, verifyChain } from './verify-chain.ts'
