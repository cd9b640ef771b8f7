/**
 * Notices that a SQLite database was put back from a copy: its head is behind the one noted beside it. Then a new epoch
 * begins, which makes every verifier start afresh, and the operator is told, because what was revoked since the copy
 * was made is alive again.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBase62 } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { readFeedHead, setEpoch } from './store.ts'

const NOTE = 'feed-head'

export function newEpoch(): string {
  return randomBase62(12)
}

/** The head noted beside the database; 0 when there is none or it cannot be read. */
export function readNotedHead(dataDir: string): number {
  try {
    const noted = Number(readFileSync(join(dataDir, NOTE), 'utf8').trim())
    return Number.isSafeInteger(noted) ? noted : 0
  } catch {
    return 0
  }
}

/** Notes the head, replacing the file at once. It may lag behind the database, and must never lead it. */
export function noteHead(dataDir: string, seq: number): void {
  const file = join(dataDir, NOTE)
  writeFileSync(`${file}.new`, `${seq}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Begins a new epoch when the database is older than its note; answers whether it did. */
export async function detectRestore(storage: Storage, dataDir: string): Promise<boolean> {
  const noted = readNotedHead(dataDir)
  if ((await readFeedHead(storage.read())).seq >= noted) return false
  await storage.write((tx) => setEpoch(tx, newEpoch()))
  return true
}
