import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { Command } from 'commander'
import { EXIT } from './errors.ts'
import { NOUNS } from './program.ts'
import type { Cli } from './cli.ts'

const PAGE = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8')

/** Commands are only defined here, never run. */
const CLI = { io: { nowMs: () => 0 }, action: () => () => {} } as unknown as Cli

it('docs/cli.md names every command there is, and none that is not', async () => {
  const there: string[] = []
  for (const { name, load } of NOUNS) {
    const command = new Command(name)
    ;(await load()).define(command, CLI)
    there.push(...endsOf(command, name))
  }
  const tables = PAGE.split('\n').filter((line) => line.startsWith('| `postern '))
  const documented = tables.flatMap((line) =>
    [...(line.split(' | ')[0] ?? '').matchAll(/`postern ([a-z -]+)`/g)].map(([, command]) => command),
  )
  assert.deepEqual([...documented].sort(), [...there].sort())
})

/** The commands under `command` that do something, by their whole names. */
function endsOf(command: Command, name: string): string[] {
  if (command.commands.length === 0) return [name]
  return command.commands.flatMap((verb) => endsOf(verb, `${name} ${verb.name()}`))
}

it('docs/cli.md names every exit code', () => {
  const documented = [...PAGE.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
  assert.deepEqual(documented, Object.values(EXIT))
})
