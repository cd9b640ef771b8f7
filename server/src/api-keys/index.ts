/**
 * API keys and their whole life: format, issue, change, rotate, revoke, bulk work, import, and the operators that
 * manage a deployment. A key is stored as a peppered hash and shown once.
 */
export { type ApiKey, type IssuedKey, KEY_STATUSES, keyStatus, type KeyStatus } from './api-key.ts'
export { findPresentedKey, type PresentedKey } from './find-presented-key.ts'
export { findKeysByText } from './find-keys-by-text.ts'
export { issueApiKey, type IssueInput } from './issue-api-key.ts'
export type { KeyContext } from './key-context.ts'
export {
  generateKey,
  hasKeyForm,
  type ParsedKey,
  parseKey,
  PREFIX_PATTERN,
  resemblesKey,
} from './key-format.ts'
export { KeyUse } from './key-use.ts'
export { IssuedKeyBody, KeyBody, KeyPresenter } from './present-key.ts'
export { keyRoutes } from './routes.ts'
export { bulkKeyRoutes } from './bulk-routes.ts'
export { createOperator, revokeOperator } from './operators.ts'
export { lockKey } from './store.ts'
export { operatorRoutes } from './operator-routes.ts'
export { pepperRoutes } from './pepper-routes.ts'
export { Peppers, resealPeppers } from './peppers.ts'
export { type BulkPreview, bulkRevoke, previewBulk, requireCount } from './bulk.ts'
export { lockReachedKey, reaches, revokeApiKey, setApiKeyDisabled, updateApiKey } from './change-api-keys.ts'
export { BulkFilter, readFilter } from './filter-schema.ts'
export type { KeyFilter } from './list-store.ts'
export { purgeDeletedParents } from './purge-deleted-parents.ts'
export { rotateApiKey, rotateLocked, type Rotation } from './rotate-api-key.ts'
