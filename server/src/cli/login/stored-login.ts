/** Who signed in here: one file in the user's configuration folder, readable by nobody else. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

export interface StoredLogin {
  readonly issuer: string
  readonly client_id: string
  readonly resource?: string
  readonly access_token: string
  readonly refresh_token?: string
  /** Unix milliseconds. */
  readonly expires_at_ms: number
}

export function loginFile(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config')
  return join(base, 'postern', 'login.json')
}

export function readLogin(file: string): StoredLogin | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as StoredLogin
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whole or not at all: a refresh token is good once, so a half-written file would sign the user out. */
export function writeLogin(file: string, login: StoredLogin): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(login, undefined, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(next, file)
}

export function forgetLogin(file: string): void {
  rmSync(file, { force: true })
}
