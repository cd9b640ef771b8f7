/** doctor: looks for what will go wrong, with what to do about it. Changes nothing. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { explainError } from '../explain-error.ts'
import { plural } from '../output/text.ts'
import type { Style } from '../output/table.ts'
import { checkDeployment } from './check-deployment.ts'
import { checkMachine } from './check-machine.ts'
import { checkRemote } from './check-remote.ts'
import { fail, type Finding, type Level } from './finding.ts'
import { remoteTarget } from '../target.ts'

const STYLES: Record<Level, Style> = { ok: 'good', warn: 'warn', fail: 'bad' }

export function define(command: Command, cli: Cli): void {
  command
    .description('Looks for what will go wrong, and says what to do; exit code 3 when something fails.')
    .action(cli.action(() => examine(cli)))
}

async function examine(cli: Cli): Promise<ExitCode> {
  const { out } = cli
  const findings: Finding[] = []
  for await (const finding of findingsOf(cli)) {
    findings.push(finding)
    if (!out.isJson) await print(cli, finding)
  }
  const count = (level: Level): number => findings.filter((finding) => finding.level === level).length
  const summary = { ok: count('ok'), warn: count('warn'), fail: count('fail') }
  if (out.isJson) await out.json({ ...summary, findings })
  else
    await out.note(
      `${summary.ok} fine, ${plural(summary.warn, 'warning')}, ${plural(summary.fail, 'failure')}.`,
    )
  return summary.fail > 0 ? EXIT.checkFailed : EXIT.ok
}

/** The ground first: where it fails, what stands on it is not asked. */
async function* findingsOf(cli: Cli): AsyncGenerator<Finding> {
  const remote = remoteTarget(cli)
  const ground = remote ? checkRemote(cli, remote.url) : checkMachine(cli)
  let sound = true
  for await (const finding of ground) {
    if (finding.level === 'fail' && finding.check !== 'permissions') sound = false
    yield finding
  }
  if (!sound) return
  try {
    yield* checkDeployment(cli)
  } catch (error) {
    const { message, hint } = explainError(error, remote === undefined)
    yield fail('deployment', message, hint ?? 'Mend this, then run doctor again.')
  }
}

async function print({ out }: Cli, { level, finding, remedy }: Finding): Promise<void> {
  await out.line(`${out.paint(STYLES[level], level.padEnd(4))}  ${finding}`)
  if (remedy) await out.line(`      → ${remedy}`)
}
