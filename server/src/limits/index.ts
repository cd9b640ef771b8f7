/**
 * Limits: who may do how much. Today the server's own endpoints, by address and by credential, in this process; limits
 * on keys, clients and tenants join here.
 */
export { createAdmit, type OwnLimits } from './admit-request.ts'
export { type Rate, TokenBuckets } from './token-bucket.ts'
