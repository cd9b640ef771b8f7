/** A file for keys: readable by its owner alone, never an existing one unless it is being resumed, and synced to disk. */
import { type FileHandle, open } from 'node:fs/promises'
import { usageError } from '../errors.ts'

export async function openSecretFile(path: string, replace: boolean): Promise<FileHandle> {
  try {
    const file = await open(path, replace ? 'w' : 'wx', 0o600)
    // A file that was there keeps its mode, and 0600 is subject to nothing but the umask.
    await file.chmod(0o600)
    return file
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw usageError(`${path} exists already.`, 'Name a new file: nothing is overwritten.')
    throw usageError(`${path} cannot be written (${code ?? message}).`)
  }
}
