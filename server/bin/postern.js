#!/usr/bin/env node
// The entry, in JavaScript: it turns the compile cache on before the first TypeScript file is loaded, so that a second
// start neither strips types nor loads what strips them.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/postern', import.meta.url)))
await import('../src/main.ts')
// Written once everything is loaded, not only at an orderly exit.
setTimeout(flushCompileCache, 2_000).unref()
