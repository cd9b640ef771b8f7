/**
 * Leaks: keys of the operator's customers that are found in public. Scanners report them, signed; what happens then is
 * the resource's policy. The search itself is here as well. What it promises is in docs/leaks.md.
 */
export type { Report } from './act-on-leak.ts'
export { gitleaksRules, keyPattern, trufflehogDetectors } from './key-pattern.ts'
export { type FoundKey, KeyScanner } from './key-scanner.ts'
export { leakRoutes, type LeakRoutes } from './routes.ts'
export { purgeLeaks } from './purge-leaks.ts'
export { SenderKeys } from './sender-keys.ts'
export { isReportedLeaked } from './store.ts'
