import assert from "node:assert/strict";
import { test } from "node:test";
import { lostConnections } from "./lost-peers.ts";

test("a client that is away is not ours to end", () => {
  const text = `0      4096   0.0.0.0:80 0.0.0.0:*
0      4096   [::]:8443 [::]:*
0      245  10.0.0.1:80 10.0.0.2:40000 timer:(on,12.8sec,5)
0      245  10.0.0.1:8443 10.0.0.2:40001 timer:(on,12.8sec,5)
0      245  10.0.0.1:40000 10.0.0.2:80 timer:(on,12.8sec,5)
end`;
  assert.deepEqual(lostConnections(text), [{ local: "10.0.0.1:40000", peer: "10.0.0.2:80" }]);
});

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
