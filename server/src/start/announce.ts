/** What a start says: the address; on the first one also the keys, or where they were put. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FirstKeys } from '../bootstrap.ts'

export interface Announcement {
  /** Where callers reach it. */
  readonly address: string
  readonly dataDir: string
  readonly firstKeys: FirstKeys | undefined
  /** Whether keys may be shown here: SQLite and a loopback issuer. */
  readonly printsKeys: boolean
}

/** The text for standard output. Writes the operator key to a file where it may not be printed. */
export function announce({ address, dataDir, firstKeys, printsKeys }: Announcement): string {
  const ready = `Postern is ready at ${address}\n`
  if (!firstKeys) return ready
  if (!printsKeys || !firstKeys.demo) return ready + keptInFile(dataDir, firstKeys.operatorKey)
  return `${ready}${shownOnce(address, firstKeys.operatorKey, firstKeys.demo)}`
}

function keptInFile(dataDir: string, operatorKey: string): string {
  const usual = join(dataDir, 'operator-key')
  // Another deployment's key may lie there: neither may be lost.
  const file = existsSync(usual) ? `${usual}-${Date.now()}` : usual
  writeFileSync(file, `${operatorKey}\n`, { mode: 0o600, flag: 'wx' })
  return `\nThe first operator key was written to ${file}\nKeep it in your secret store, then delete the file.\n`
}

function shownOnce(address: string, operatorKey: string, demo: { key: string; resource: string }): string {
  const question = JSON.stringify({ credential: demo.key, resource: demo.resource, scopes: ['orders:read'] })
  return `
Two keys, shown this once:

  manage Postern   ${operatorKey}
  call your API    ${demo.key}

List the API keys, as the operator:

  curl ${address}/v1/keys -H 'Authorization: Bearer ${operatorKey}'

Ask what the second key may do, as whoever holds it:

  curl ${address}/v1/whoami -H 'Authorization: Bearer ${demo.key}'

Ask whether it may read orders, as your API does for each request:

  curl ${address}/v1/verify -H 'Authorization: Bearer ${operatorKey}' \\
    -H 'Content-Type: application/json' -d '${question}'

Protect a real API with it, in another terminal:

  POSTERN_CREDENTIAL=${operatorKey} npm run example:express
  curl http://localhost:3000/orders -H 'Authorization: Bearer ${demo.key}'

What next: ${address}/
`
}
