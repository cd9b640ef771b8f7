/** Every transcript, over both transports. UPDATE_TRANSCRIPTS=1 writes down what happens; read the difference then. */
import assert from 'node:assert/strict'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, it } from 'node:test'
import { capture } from './testing/capture.ts'
import { startDeployment, type TestDeployment } from './testing/deployment.ts'
import {
  Names,
  parseTranscript,
  printOutcome,
  printTranscript,
  splitWords,
  type Step,
} from './testing/transcript.ts'

const files = globSync(`${import.meta.dirname}/transcripts/*.txt`).sort()

it('has transcripts', () => assert.ok(files.length >= 8))

for (const transport of ['local', 'remote'] as const)
  describe(`transcripts (${transport})`, () => {
    for (const file of files) {
      const transcript = parseTranscript(readFileSync(file, 'utf8'))
      const only = /^# (local|remote)$/m.exec(transcript.preamble)?.[1]
      if (only !== undefined && only !== transport) continue
      it(basename(file, '.txt'), async () => {
        const deployment = await startDeployment(transport)
        try {
          const steps = await replay(transcript.steps, deployment)
          const played = printTranscript({ ...transcript, steps })
          if (process.env['UPDATE_TRANSCRIPTS'] && (only !== undefined || transport === 'local'))
            writeFileSync(file, played)
          else assert.equal(played, printTranscript(transcript))
        } finally {
          await deployment.drop()
        }
      })
    }
  })

async function replay(steps: readonly Step[], deployment: TestDeployment): Promise<Step[]> {
  const names = new Names([
    [deployment.folder, '<data>'],
    [deployment.env['POSTERN_URL'] ?? '(no server)', '<server>'],
    [deployment.demoKey, '<demo>'],
  ])
  const played: Step[] = []
  for (const { command, stdin } of steps) {
    const [program, ...argv] = splitWords(command).map((word) => names.show(word))
    assert.equal(program, 'postern', `"${command}" does not start with postern`)
    const outcome = await capture(argv, deployment.deps, { env: deployment.env, stdin: names.show(stdin) })
    played.push({ command, stdin, expected: names.hide(printOutcome(outcome)) })
  }
  return played
}
