/**
 * The root secret: given by configuration, or made on first start in the data folder. Everything that is sealed or
 * peppered depends on it; losing it means issuing every key anew.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deriveKey } from './kernel/index.ts'

const FILE = 'root-secret'

/** Reads or makes it. Two first starts at once agree on one: the file appears whole or not at all. */
export function openRootSecret(given: string | undefined, dataDir: string): string {
  if (given !== undefined) return given
  const file = join(dataDir, FILE)
  const present = read(file)
  if (present !== undefined) return present
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  writeFileSync(fresh, `${newRootSecret()}\n`, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(fresh, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(fresh)
  }
  return read(file) as string
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the data folder holds it, rather than the configuration. */
export function rootSecretFile(given: string | undefined, dataDir: string): string | undefined {
  return given === undefined ? join(dataDir, FILE) : undefined
}

export function newRootSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The new one lies beside the old one before the database changes, so that a crash in between loses neither. */
export function prepareRootSecret(file: string, secret: string): void {
  writeFileSync(`${file}.next`, `${secret}\n`, { mode: 0o600, flush: true })
}

/** Once the database has it. */
export function adoptRootSecret(file: string): void {
  renameSync(`${file}.next`, file)
}

/** What the database keeps to notice a wrong root secret. It tells nothing about it. */
export function rootCheck(rootSecret: string): string {
  return deriveKey(rootSecret, 'root check').toString('base64url')
}
