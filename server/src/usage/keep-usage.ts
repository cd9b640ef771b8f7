/** How long usage is kept: minutes, then hours, then days; for upkeep. */
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { purgeReports, rollUp } from './store.ts'

export interface UsageKept {
  readonly minutesForHours: number
  readonly hoursForDays: number
  readonly daysForDays: number
}

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
const DAY_MS = 86_400_000

export async function tendUsage(storage: Storage, clock: Clock, kept: UsageKept): Promise<void> {
  const now = Math.floor(clock.nowMs() / 1000)
  const wholeDays = (seconds: number): number => seconds - (seconds % DAY_SECONDS)
  const before = {
    minutes: now - kept.minutesForHours * HOUR_SECONDS,
    hours: wholeDays(now - kept.hoursForDays * DAY_SECONDS),
    days: now - kept.daysForDays * DAY_SECONDS,
  }
  await storage.write((tx) => rollUp(tx, before))
  await storage.write((tx) => purgeReports(tx, clock.nowMs() - DAY_MS))
}
