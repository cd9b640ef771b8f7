/** Resources: the protected APIs, each named by a URI, with scopes and the rules for its keys and tokens. */
export { createResource, deleteResource, type ResourceInput, updateResource } from './change-resources.ts'
export { getResource, listResources, reachedResources } from './read-resources.ts'
export {
  DEFAULTS,
  type LeakPolicy,
  MANAGEMENT_PREFIX,
  type Resource,
  type ResourceScope,
  TOKEN_ALGORITHMS,
} from './resource.ts'
export { ResourceUris } from './resource-uris.ts'
export { resourceRoutes } from './routes.ts'
export { findResource, insertResource, lockResource, type ResourceTable } from './store.ts'
