/** What is wrong with the lines of an import. */
import { open } from 'node:fs/promises'
import { usageError } from '../errors.ts'

const MOST_SHOWN = 20

/** Faulty lines: the first few to show, all of them into a file when there is one. */
export class FaultList {
  readonly shown: { line: number; detail: string }[] = []
  readonly #file: Awaited<ReturnType<typeof open>> | undefined
  #pending = Promise.resolve()

  private constructor(file: Awaited<ReturnType<typeof open>> | undefined) {
    this.#file = file
  }

  static async open(path: string | undefined): Promise<FaultList> {
    if (path === undefined) return new FaultList(undefined)
    try {
      return new FaultList(await open(path, 'w', 0o600))
    } catch (error) {
      throw usageError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`)
    }
  }

  add(line: number, detail: string): void {
    if (this.shown.length < MOST_SHOWN) this.shown.push({ line, detail })
    const file = this.#file
    if (file)
      this.#pending = this.#pending.then(
        async () => void (await file.write(`${JSON.stringify({ line, detail })}\n`)),
      )
  }

  async close(): Promise<void> {
    await this.#pending
    await this.#file?.close()
  }
}
