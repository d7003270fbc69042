import assert from "node:assert/strict";
import { test } from "node:test";
import { isTimeZone, newestTime, nextTime, whyNoSchedule } from "./schedule.ts";

const at = (text: string): number => Date.parse(text);
const shown = (time: number | undefined): string | undefined => (time === undefined ? undefined : new Date(time).toISOString());

test("what every platform understands in the same way is a schedule, and nothing else", () => {
  for (const cron of ["* * * * *", "*/5 * * * *", "0 3 1,15 * *", "30 3 * JAN-MAR MON-FRI", "0-30/10 8-18 * * 1-5", "@hourly", "@midnight", "0 0 29 2 *"])
    assert.equal(whyNoSchedule(cron), undefined, cron);
  const wrong: Readonly<Record<string, string>> = {
    "* * * *": "it has 4 fields, not five",
    "*/10 * * * * *": "it has 6 fields, not five",
    "": "it has 1 field, not five",
    "60 * * * *": '"60" is no minute',
    "* 24 * * *": '"24" is no hour',
    "* * 0 * *": '"0" is no day of the month',
    "* * * 13 *": '"13" is no month',
    "* * * * 7": '"7" is no day of the week',
    "* * * * SUND": '"SUND" is no day of the week',
    "5/10 * * * *": '"5/10" is no minute',
    "9-3 * * * *": '"9-3" is no minute',
    "*/0 * * * *": '"*/0" is no minute',
    "1,,2 * * * *": '"" is no minute',
    "* * L * *": '"L" is no day of the month',
    "* * 15W * *": '"15W" is no day of the month',
    "* * * * 1#2": '"1#2" is no day of the week',
    "* * ? * *": '"?" is no day of the month',
    "0 0 31 2 *": "there is no such day",
    "@fortnightly": 'there is no "@fortnightly", only @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly',
  };
  for (const [cron, reason] of Object.entries(wrong)) assert.equal(whyNoSchedule(cron), reason, cron);
});

test("times are those of the zone, over its changes, too", () => {
  assert.ok(isTimeZone("Europe/Berlin") && isTimeZone("UTC") && !isTimeZone("Europe/Bern-lin") && !isTimeZone("+02:00"));
  const daily = { cron: "30 3 * * *", timeZone: "Europe/Berlin" };
  assert.equal(shown(nextTime(daily, at("2026-03-27T12:00:00Z"))), "2026-03-28T02:30:00.000Z");
  assert.equal(shown(nextTime(daily, at("2026-03-29T12:00:00Z"))), "2026-03-30T01:30:00.000Z");
  assert.equal(shown(nextTime({ cron: "@hourly", timeZone: "UTC" }, at("2026-01-01T10:00:00Z"))), "2026-01-01T11:00:00.000Z", "strictly after");
});

test("the newest time since a moment, however long ago that is", () => {
  const quarterly = { cron: "*/15 * * * *", timeZone: "UTC" };
  assert.equal(newestTime(quarterly, at("2026-01-01T10:00:00Z"), at("2026-01-01T10:14:59Z")), undefined);
  assert.equal(shown(newestTime(quarterly, at("2026-01-01T10:00:00Z"), at("2026-01-01T10:15:00Z"))), "2026-01-01T10:15:00.000Z");
  assert.equal(shown(newestTime(quarterly, at("1990-01-01T00:00:00Z"), at("2026-01-01T10:44:00Z"))), "2026-01-01T10:30:00.000Z");
  assert.equal(shown(newestTime({ cron: "@yearly", timeZone: "UTC" }, at("2020-06-01T00:00:00Z"), at("2026-03-01T00:00:00Z"))), "2026-01-01T00:00:00.000Z");
});
