/** One bcrypt hash on a thread of its own: it is computed in JavaScript, and nobody else's request waits for it. */
import { parentPort, workerData } from 'node:worker_threads'
import { compare } from 'bcryptjs'

const { password, hash } = workerData as { readonly password: string; readonly hash: string }
parentPort?.postMessage(await compare(password, hash))
