/**
 * Services that verify, for measuring when each of them refuses: several verifiers in one process, each with a
 * connection of its own to the feed. Takes lines of JSON on standard input, answers a line for each.
 */
import { createInterface } from 'node:readline'
import { createVerifier, type Verifier } from '../sdk/src/index.ts'

export type Order =
  | {
      readonly open: {
        readonly server: string
        readonly resource: string
        readonly credentials: readonly string[]
      }
    }
  /** Verifies the token until every verifier has refused it, and answers when each did, by the monotonic clock. */
  | { readonly watch: string }

/** How often each verifier is asked: what is measured is at most this much too late. */
const ASK_EVERY_MS = 1
const PATIENCE_MS = 30_000

let verifiers: Verifier[] = []

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order
  if ('open' in order) {
    const { server, resource, credentials } = order.open
    verifiers = credentials.map((credential) => createVerifier({ server, resource, credential }))
    const live = await Promise.all(verifiers.map((verifier) => verifier.ready(PATIENCE_MS)))
    if (live.includes(false)) throw new Error('A verifier is not live.')
    console.log(JSON.stringify({ live: verifiers.length }))
  } else {
    console.log(JSON.stringify(await refusals(order.watch)))
  }
}

/** First says that every one of them accepts it, then when each refused it: nanoseconds of the machine's clock. */
async function refusals(token: string): Promise<string[]> {
  const accepts = await Promise.all(verifiers.map((verifier) => verifier.verify(token)))
  const refused = accepts.find((result) => !result.valid)
  if (refused) throw new Error(`The token was refused before it was revoked: ${JSON.stringify(refused)}`)
  console.log('"watching"')
  const times: string[] = Array.from({ length: verifiers.length }, () => '')
  await until(() => {
    let waiting = 0
    for (const [index, verifier] of verifiers.entries()) {
      if (times[index] !== '') continue
      const result = verifier.verify(token)
      if (result instanceof Promise) throw new Error('A verifier left LIVE.')
      if (result.valid) waiting++
      else if (result.code === 'revoked') times[index] = String(process.hrtime.bigint())
      else throw new Error(`The token was refused for another reason: ${result.code}`)
    }
    return waiting === 0
  })
  return times
}

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS))
  }
}
