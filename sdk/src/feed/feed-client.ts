/**
 * Keeps what a process knows of the feed current: a snapshot, then the stream, which is resumed by position for as often
 * as it breaks off; the long poll where a proxy does not let the stream through. It never gives up and never throws: what
 * it cannot learn shows as the age of what is known.
 */
import type { Clock } from '../clock.ts'
import { importKeys } from '../tokens/verification-keys.ts'
import { EventStream, type ServerEvent } from './event-stream.ts'
import {
  type Events,
  type FeedRow,
  type Heartbeat,
  type Members,
  parseEvents,
  parseHeartbeat,
  parseKeySet,
  parseRow,
  parseSnapshot,
  type Snapshot,
} from './feed-messages.ts'
import { type Failure, type FeedResponse, type FeedSource, NOT_A_FEED, requestFeed } from './feed-request.ts'
import { type FeedState, Knowledge, LIVE_MS } from './knowledge.ts'

/** What the verifiers that share a client are told. Nothing here may throw. */
export interface FeedFollower {
  onState(state: FeedState, previous: FeedState): void
  /** For the operator; no credential stands in it. */
  onWarning(message: string): void
}

/** What came of a connection: go on at once, or after a while. */
type Outcome = 'again' | Failure

const SNAPSHOT_TIMEOUT_MS = 30_000
/** An answer proves what was true when it was asked for: so two of these and a round trip have to fit into `LIVE_MS`. */
const POLL_WAIT_SECONDS = 1
const POLL_TIMEOUT_MS = 4_000
/** While there are rows all the time, an answer would come at once every time. */
const POLL_PAUSE_MS = 100
const WATCH_MS = 250
/** How long the long poll is used before the stream is tried again: longer each time that it still does not get through. */
const POLL_FOR_MS = 30_000
const POLL_FOR_AT_MOST_MS = 600_000
/** The first may slip through what holds back the others. */
const FLOWING_BEATS = 3
const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000
const ENDED: Failure = {
  failure: "this service's own credential has ended. Give createVerifier another one.",
  retryMs: 10_000,
}
/** A token that names an unknown key costs one request in this time, for all such tokens together. */
const KEYS_COOLDOWN_MS = 10_000
const DESCRIBE_WITHIN_MS = 2_000

export class FeedClient {
  readonly knowledge: Knowledge
  readonly #source: FeedSource
  readonly #clock: Clock
  readonly #followers = new Set<FeedFollower>()
  readonly #timers = new Set<() => void>()
  readonly #requests = new Set<AbortController>()
  #state: FeedState = 'boot'
  #phase: 'idle' | 'running' | 'closed' = 'idle'
  #needsSnapshot = true
  #failures = 0
  #pollUntilMs = Number.NEGATIVE_INFINITY
  #pollForMs = POLL_FOR_MS
  /** Of the connection under way: when it is given up. */
  #deadlineMs = Number.POSITIVE_INFINITY
  #connection: AbortController | undefined
  /** The tag of the keys that are known; the long poll sends them only when they changed. */
  #keysTag: string | undefined
  #keysSoughtAtMs = Number.NEGATIVE_INFINITY
  #seekingKeys: Promise<void> | undefined
  #describing = false

  constructor(source: FeedSource, clock: Clock) {
    this.#source = source
    this.#clock = clock
    this.knowledge = new Knowledge(clock)
  }

  /** The first follower opens the connection. The answer lets go of it; the last one closes it for good. */
  follow(follower: FeedFollower): () => void {
    this.#followers.add(follower)
    if (this.#phase === 'idle') {
      this.#phase = 'running'
      this.#watch()
      void this.#run()
    }
    return () => {
      this.#followers.delete(follower)
      if (this.#followers.size === 0) this.#close()
    }
  }

  /** What was last told to the followers. */
  get state(): FeedState {
    return this.#state
  }

  get isClosed(): boolean {
    return this.#phase === 'closed'
  }

  /** For a token that names a key which is not known. Undefined when the keys were asked for a moment ago. */
  seekKeys(): Promise<void> | undefined {
    const nowMs = this.#clock.monotonicMs()
    if (this.#seekingKeys || nowMs - this.#keysSoughtAtMs < KEYS_COOLDOWN_MS) return this.#seekingKeys
    this.#keysSoughtAtMs = nowMs
    this.#seekingKeys = this.#fetchKeys().finally(() => (this.#seekingKeys = undefined))
    return this.#seekingKeys
  }

  async #run(): Promise<void> {
    while (!this.isClosed) {
      const outcome = await this.#connect()
      this.#showState()
      if (outcome === 'again' || this.isClosed) continue
      this.#warn(outcome.failure)
      const grownMs = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++)
      // All verifiers lose a server at the same moment; they must not all come back at the same moment.
      await this.#sleep((outcome.retryMs ?? grownMs) * (0.5 + Math.random()))
    }
  }

  #connect(): Promise<Outcome> {
    if (this.#needsSnapshot) return this.#start()
    return this.#clock.monotonicMs() < this.#pollUntilMs ? this.#poll() : this.#stream()
  }

  async #start(): Promise<Outcome> {
    const sentAtMs = this.#clock.monotonicMs()
    const snapshot = await this.#read(SNAPSHOT_TIMEOUT_MS, 'snapshot', parseSnapshot)
    if ('failure' in snapshot) return snapshot
    const keys = await importKeys(snapshot.keys, this.knowledge.keys)
    if (this.isClosed) return 'again'
    this.knowledge.adopt(snapshot, keys, sentAtMs)
    this.#needsSnapshot = false
    this.#keysTag = undefined
    return 'again'
  }

  async #stream(): Promise<Outcome> {
    const { position, epoch } = this.knowledge
    const sentAtMs = this.#clock.monotonicMs()
    const path = `stream?after=${position}&epoch=${encodeURIComponent(epoch)}`
    const stream: OpenStream = { sentAtMs, timelyBeats: 0, wasLate: false }
    const response = await this.#open(LIVE_MS, path)
    const outcome = 'failure' in response ? response : await this.#listen(response, stream)
    // Held back, and not because the server is away: there is something between us that collects what it passes on.
    const waitedMs = this.#clock.monotonicMs() - sentAtMs
    if (stream.timelyBeats >= FLOWING_BEATS || !(stream.wasLate || waitedMs >= LIVE_MS)) return outcome
    this.#preferPolling()
    return 'again'
  }

  async #listen(response: FeedResponse, stream: OpenStream): Promise<Outcome> {
    const events = new EventStream()
    try {
      for await (const bytes of response.chunks()) {
        this.#deadlineMs = this.#clock.monotonicMs() + LIVE_MS
        for (const event of events.push(bytes)) {
          const outcome = await this.#hear(event, stream)
          if (outcome) return outcome
        }
      }
    } catch {
      // One that breaks off ends like any other: it is resumed.
    }
    return stream.timelyBeats > 0 ? 'again' : { failure: 'the stream of the feed ended before it began.' }
  }

  /** Answers what ends the stream, or undefined. */
  async #hear({ event, data }: ServerEvent, stream: OpenStream): Promise<Outcome | undefined> {
    if (event === 'end') return ENDED
    if (event === 'reset') return this.#loseTrack()
    const json = parsedJson(data)
    if (event === 'row') {
      const row = parseRow(json)
      if (row?.epoch === this.knowledge.epoch) return this.#take(row)
      return row ? this.#loseTrack() : NOT_A_FEED
    }
    if (event === 'heartbeat') {
      const beat = parseHeartbeat(json)
      if (beat?.epoch === this.knowledge.epoch) return this.#believe(beat, stream)
      return beat ? this.#loseTrack() : NOT_A_FEED
    }
    if (event === 'jwks') {
      const keys = parseKeySet(json)
      return keys ? this.#adoptKeys(keys) : NOT_A_FEED
    }
    return undefined
  }

  #take(row: FeedRow): undefined {
    this.knowledge.row(row)
    if (row.kind === 'resource') this.#describeSoon()
  }

  #believe(beat: Heartbeat, stream: OpenStream): Outcome | undefined {
    if (this.knowledge.promise(beat, stream.sentAtMs) > LIVE_MS) {
      stream.wasLate = true
      return 'again'
    }
    stream.timelyBeats++
    this.#failures = 0
    if (stream.timelyBeats >= FLOWING_BEATS) this.#pollForMs = POLL_FOR_MS
    this.#showState()
    return undefined
  }

  async #poll(): Promise<Outcome> {
    const { position, epoch } = this.knowledge
    const sentAtMs = this.#clock.monotonicMs()
    // What is known is old already: at once, for the first time.
    const wait = this.knowledge.ageMs(sentAtMs) > LIVE_MS / 2 ? 0 : POLL_WAIT_SECONDS
    const tag = this.#keysTag === undefined ? '' : `&jwks=${encodeURIComponent(this.#keysTag)}`
    const query = `after=${position}&epoch=${encodeURIComponent(epoch)}&wait=${wait}${tag}`
    const events = await this.#read(POLL_TIMEOUT_MS, `events?${query}`, parseEvents)
    if ('failure' in events) return events
    if (this.isClosed) return 'again'
    if ('reset' in events || events.epoch !== this.knowledge.epoch) return this.#loseTrack()
    for (const row of events.rows) this.#take(row)
    if (events.keys) await this.#adoptKeys(events.keys)
    this.#keysTag = events.keysTag
    this.knowledge.promise(events, sentAtMs)
    this.#failures = 0
    this.#showState()
    await this.#sleep(POLL_PAUSE_MS)
    return 'again'
  }

  #preferPolling(): void {
    this.#pollUntilMs = this.#clock.monotonicMs() + this.#pollForMs
    this.#pollForMs = Math.min(POLL_FOR_AT_MOST_MS, this.#pollForMs * 2)
  }

  #loseTrack(): Outcome {
    this.#needsSnapshot = true
    this.knowledge.loseTrack()
    return 'again'
  }

  async #adoptKeys(keySet: readonly Members[]): Promise<undefined> {
    this.knowledge.adoptKeys(await importKeys(keySet, this.knowledge.keys))
  }

  async #fetchKeys(): Promise<void> {
    // Without a tag the answer has the keys. Its rows are left alone: those are told in order elsewhere.
    const path = `events?after=${this.knowledge.position}&wait=0`
    const events: Events | { readonly reset: true } | Failure = await this.#aside(
      POLL_TIMEOUT_MS,
      path,
      parseEvents,
    )
    if ('rows' in events && events.keys) await this.#adoptKeys(events.keys)
  }

  /** What an API's id is and how long its answers may be kept stands in the snapshot alone. */
  #describeSoon(): void {
    if (this.#describing) return
    this.#describing = true
    this.#later(Math.random() * DESCRIBE_WITHIN_MS, () => {
      this.#describing = false
      void this.#describe()
    })
  }

  async #describe(): Promise<void> {
    const snapshot: Snapshot | Failure = await this.#aside(SNAPSHOT_TIMEOUT_MS, 'snapshot', parseSnapshot)
    if (!('failure' in snapshot)) this.knowledge.refresh(snapshot)
  }

  /** Reads an answer over the connection that `#watch` guards. */
  async #read<Value extends object>(
    timeoutMs: number,
    path: string,
    parse: (json: unknown) => Value | undefined,
  ): Promise<Value | Failure> {
    const response = await this.#open(timeoutMs, path)
    if ('failure' in response) return response
    const json = await response.json()
    return 'failure' in json ? json : (parse(json.value) ?? NOT_A_FEED)
  }

  #open(timeoutMs: number, path: string): Promise<FeedResponse | Failure> {
    if (this.#connection) this.#requests.delete(this.#connection)
    this.#connection = this.#controller()
    this.#deadlineMs = this.#clock.monotonicMs() + timeoutMs
    return requestFeed(this.#source, path, this.#connection.signal)
  }

  /** The same beside the connection, with a timer of its own. */
  async #aside<Value extends object>(
    timeoutMs: number,
    path: string,
    parse: (json: unknown) => Value | undefined,
  ): Promise<Value | Failure> {
    const controller = this.#controller()
    const cancel = this.#later(timeoutMs, () => controller.abort())
    const response = await requestFeed(this.#source, path, controller.signal)
    const json = 'failure' in response ? response : await response.json()
    cancel()
    this.#requests.delete(controller)
    return 'failure' in json ? json : (parse(json.value) ?? NOT_A_FEED)
  }

  #controller(): AbortController {
    const controller = new AbortController()
    this.#requests.add(controller)
    return controller
  }

  /** Ends a connection that has gone silent: one that was cut without a FIN looks like one with nothing to say. */
  #watch(): void {
    this.#later(WATCH_MS, () => {
      if (this.#clock.monotonicMs() >= this.#deadlineMs) this.#connection?.abort()
      this.#showState()
      this.#watch()
    })
  }

  #showState(): void {
    const state = this.knowledge.state(this.#clock.monotonicMs())
    const previous = this.#state
    if (state === previous) return
    this.#state = state
    for (const follower of this.#followers) follower.onState(state, previous)
  }

  #warn(failure: string): void {
    for (const follower of this.#followers)
      follower.onWarning(`Postern's feed cannot be followed: ${failure}`)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(ms, resolve))
  }

  #later(ms: number, act: () => void): () => void {
    if (this.isClosed) return () => {}
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(cancel)
      act()
    })
    this.#timers.add(cancel)
    return cancel
  }

  #close(): void {
    this.#phase = 'closed'
    this.knowledge.servesUntilMs = Number.NEGATIVE_INFINITY
    for (const controller of this.#requests) controller.abort()
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
  }
}

interface OpenStream {
  readonly sentAtMs: number
  /** Heartbeats that came in time. */
  timelyBeats: number
  /** One came too late, though the stream was there. */
  wasLate: boolean
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
