import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('./serve-test-program.ts', import.meta.url))

interface Running {
  readonly process: ChildProcess
  readonly port: number
  /** Everything it has printed. */
  output(): string
}

async function start(graceSeconds: number): Promise<Running> {
  const child = spawn(process.execPath, [PROGRAM, String(graceSeconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  while (!/port (\d+)/.test(output)) await once(child.stdout, 'data')
  return { process: child, port: Number(/port (\d+)/.exec(output)?.[1]), output: () => output }
}

const patience = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('on SIGTERM', () => {
  test('what is under way is finished on both loopback addresses, then flushed, and the exit is 0', async () => {
    const running = await start(10)
    const hosts = (await reaches(running.port, '::1')) ? ['127.0.0.1', '[::1]'] : ['127.0.0.1']
    const answers = hosts.map((host) => fetch(`http://${host}:${running.port}/slow?ms=500`))
    await patience(150)
    running.process.kill('SIGTERM')
    const exit = once(running.process, 'exit')
    for (const answer of answers) assert.equal(await (await answer).text(), 'done')
    const began = performance.now()
    assert.deepEqual(await exit, [0, null])
    assert.ok(performance.now() - began < 3_000, 'a connection kept alive held up the exit')
    assert.match(running.output(), /answered[^]*flushed/)
  })

  test('nothing new is accepted', async () => {
    const running = await start(10)
    const slow = fetch(`http://127.0.0.1:${running.port}/slow?ms=400`)
    await patience(100)
    running.process.kill('SIGTERM')
    await patience(100)
    assert.equal(await reaches(running.port, '127.0.0.1'), false)
    await slow
  })

  test('what is not finished within the grace is cut off', async () => {
    const running = await start(0)
    const cut = fetch(`http://127.0.0.1:${running.port}/slow?ms=20000`).then(
      () => 'answered',
      () => 'cut',
    )
    await patience(150)
    const began = performance.now()
    running.process.kill('SIGTERM')
    const [code] = await once(running.process, 'exit')
    assert.ok(performance.now() - began < 3_000)
    assert.equal(await cut, 'cut')
    assert.equal(code, 0)
  })

  test('a second signal exits at once', async () => {
    const running = await start(60)
    fetch(`http://127.0.0.1:${running.port}/slow?ms=20000`).catch(() => {})
    await patience(150)
    running.process.kill('SIGTERM')
    await patience(100)
    running.process.kill('SIGINT')
    const [code] = await once(running.process, 'exit')
    assert.equal(code, 1)
  })
})

function reaches(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
