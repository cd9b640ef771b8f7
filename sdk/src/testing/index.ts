/**
 * `@postern/sdk/testing`: an issuer in memory, with a clock and a switch for faults, for tests of your own routes.
 *
 *     const issuer = await createTestIssuer()
 *     const verifier = await issuer.createLiveVerifier()
 *     const { id, text } = issuer.issueKey({ scopes: ['orders:read'] })
 *     issuer.revoke('api_key', id)
 */
export { type Clock } from '../clock.ts'
export { settle, TestClock } from './test-clock.ts'
export { TestFeed, type TestRow } from './test-feed.ts'
export {
  createTestIssuer,
  type Faults,
  type Issued,
  type IssueOptions,
  TEST_TENANT,
  TestIssuer,
  type TestIssuerOptions,
  type TokenOptions,
} from './test-issuer.ts'
