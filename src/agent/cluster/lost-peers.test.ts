import assert from "node:assert/strict";
import { test } from "node:test";
import { lostConnections } from "./lost-peers.ts";

test("who does not acknowledge is lost; who does not read, is idle, or was sent something again a few times is not", () => {
  const text = `0    245  10.0.0.1:40000 10.0.0.2:8080 timer:(on,12.8sec,5)
0      0    10.0.0.1:40001 10.0.0.2:8080 timer:(keepalive,48sec,0)
0      99   10.0.0.1:40002 10.0.0.2:8080 timer:(persist,2.1sec,7)
0      300  10.0.0.1:40003 10.0.0.3:8080 timer:(on,204ms,0)
0      300  10.0.0.1:40004 10.0.0.3:8080 timer:(on,3.2sec,4)
0      300  10.0.0.1:40005 10.0.0.3:8080
1024   300  [fd00::1]:40006 [fd00::2]:443 timer:(on,1min2sec,10) uid:0
end`;
  assert.deepEqual(lostConnections(text), [
    { local: "10.0.0.1:40000", peer: "10.0.0.2:8080" },
    { local: "[fd00::1]:40006", peer: "[fd00::2]:443" },
  ]);
});
