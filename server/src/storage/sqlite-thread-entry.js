// A thread's entry, in JavaScript for the same reason as bin/postern.js: each thread has a compile cache of its own.
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/postern', import.meta.url)))
await import('./sqlite-thread.ts')
