/** The data folder: who may read it, what it lies on, how much room is left. */
import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fail, type Finding, ok, warn } from './finding.ts'

const ROOT_SECRET = 'root-secret'

export function* checkPermissions(dataDir: string, hasRootSecret: boolean): Generator<Finding> {
  // Windows has no such bits, and says 0o666 for all.
  if (process.platform === 'win32') return
  const open = openToOthers(dataDir)
  if (open.length === 0) yield ok('permissions', 'Nobody else may read the data folder.')
  else
    yield fail(
      'permissions',
      `Other users of this machine may enter or read ${open.slice(0, 5).join(', ')}.`,
      `Run: chmod 700 '${dataDir}' && chmod 600 '${dataDir}'/*`,
    )
  if (!hasRootSecret && !existsSync(join(dataDir, ROOT_SECRET)))
    yield fail(
      'root_secret',
      `${join(dataDir, ROOT_SECRET)} is missing: no key can be checked without it.`,
      'Put it back from the backup, or give it in POSTERN_ROOT_SECRET.',
    )
  if (existsSync(join(dataDir, 'operator-key')))
    yield warn(
      'operator_key',
      'The first operator key still lies in the data folder.',
      `Keep it in a secret store, then: rm '${join(dataDir, 'operator-key')}'`,
    )
}

function openToOthers(dataDir: string): string[] {
  const paths = [dataDir, ...readdirSync(dataDir).map((name) => join(dataDir, name))]
  // In a closed folder the files' own bits matter only for what is copied out of it.
  return paths.filter((path) => (statSync(path).mode & 0o077) !== 0)
}

/** Magic numbers of statfs(2). */
const NETWORK_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xff534d42: 'CIFS',
  0xfe534d42: 'SMB',
  0x01021997: '9P',
  0x5346414f: 'AFS',
  0x00c36400: 'Ceph',
  0x0bd00bd0: 'Lustre',
}
const FUSE = 0x65735546

/** SQLite's locks and its shared memory do not hold on a network file system. */
export function checkFileSystem(dataDir: string, type: number = statfsSync(dataDir).type): Finding {
  const name = NETWORK_FILE_SYSTEMS[type >>> 0]
  if (name !== undefined)
    return fail(
      'file_system',
      `The data folder lies on ${name}, where SQLite loses data.`,
      'Move it to a local disk, or use Postgres.',
    )
  if (type >>> 0 === FUSE)
    return warn(
      'file_system',
      'The data folder lies on a FUSE file system, which may be on the network.',
      'Make sure it is a local disk, or use Postgres.',
    )
  return ok('file_system', 'The data folder lies on a local disk.')
}

const LOW_BYTES = 1_000_000_000
const FULL_BYTES = 100_000_000

export function checkDisk(dataDir: string, freeBytes: number = freeBytesOf(dataDir)): Finding {
  const room = `${(freeBytes / 1_000_000_000).toFixed(1)} GB`
  if (freeBytes < FULL_BYTES)
    return fail(
      'disk',
      `Only ${Math.floor(freeBytes / 1_000_000)} MB are free: soon nothing can be changed, not even revoked.`,
      'Make room now.',
    )
  if (freeBytes < LOW_BYTES)
    return warn('disk', `Only ${room} are free.`, 'Make room: a full disk stops revocations.')
  return ok('disk', `${room} are free.`)
}

function freeBytesOf(dataDir: string): number {
  const { bavail, bsize } = statfsSync(dataDir)
  return bavail * bsize
}
