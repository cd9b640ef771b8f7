/** Tenants: customer organizations, kept apart. Deleting one is a tombstone, a floor and one row of the feed. */
export { createTenant, deleteTenant, revokeTenant, type TenantInput, updateTenant } from './change-tenants.ts'
export { recordActorRevoked, revokeActor, revokeSubject, type SubjectInTenant } from './revoke-subjects.ts'
export { getTenant, impliedTenant, listTenants } from './read-tenants.ts'
export { tenantRoutes } from './routes.ts'
export { insertTenant, lockTenant, type TenantTable } from './store.ts'
export { DEFAULT_TENANT_NAME, type Tenant } from './tenant.ts'
