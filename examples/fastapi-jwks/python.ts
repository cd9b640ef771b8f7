/** For the test: a Python with the example's requirements, kept beside npm's packages from one run to the next. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const LONGEST_MS = 180_000
const run = promisify(execFile)

/** The interpreter, or why there is none here. */
export async function pythonWithRequirements(): Promise<{ python: string } | { missing: string }> {
  const wanted = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16)
  const folder = join(import.meta.dirname, '../../node_modules/.cache', `fastapi-jwks-${wanted}`)
  const python = join(folder, 'bin/python')
  // Written last: a folder without it was left half made.
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return { python }
  rmSync(folder, { recursive: true, force: true })
  try {
    await run('python3', ['-m', 'venv', folder], { timeout: LONGEST_MS })
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-input', '--requirement', REQUIREMENTS], {
      timeout: LONGEST_MS,
    })
  } catch (error) {
    return { missing: String((error as { stderr?: string }).stderr || error).trim() }
  }
  writeFileSync(complete, '')
  return { python }
}
