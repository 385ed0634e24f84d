"""A backend: sell what is above its benchmark, lot by lot, and buy what is below with the proceeds.

It knows no tax and no risk: the certificate tells what that costs. Any language with Arrow will do.
"""

import sys

import numpy as np
import pyarrow as pa

(row,) = pa.ipc.open_stream(sys.stdin.buffer).read_all().to_pylist()
c = {name: np.array(value) for name, value in row.items()}
sold, bought = np.zeros(len(c["lot_weight"])), np.zeros(len(c["held"]))
for a in range(len(c["value_usd"])):
    names = range(c["names_from"][a], c["names_from"][a + 1])
    cash = c["cash"][a] - (c["cash_min"][a] + c["cash_max"][a]) / 2  # to invest, or below 0 to raise
    least, in_order = c["trade_min"][a], c["in_order"][a]
    for i in names:
        over, lots = c["held"][i] - c["benchmark"][i], range(c["lots_from"][i], c["lots_from"][i + 1])
        if not c["may_sell"][i] or over < max(least, c["step"][i]):
            continue
        whole = over // c["step"][i] * c["step"][i] if c["step"][i] > 0 else over
        for lot in lots:
            barred = c["lot_is_loss"][lot] and c["young"][i] > 0 and np.isinf(c["young_cost"][i])
            if barred or not c["lot_sellable"][lot]:
                if in_order:
                    break
                continue
            sold[lot] = min(whole, c["lot_weight"][lot])
            whole -= sold[lot]
        part = sold[lots.start : lots.stop].sum()
        if part < least or (c["step"][i] > 0 and whole > 1e-12):
            part = sold[lots.start : lots.stop] = 0.0
        cash += np.sum(part)
    under = np.array([max(0.0, c["benchmark"][i] - c["held"][i]) for i in names])
    blocked = [np.isinf(c["claim_cost"][c["claims_from"][i] : c["claims_from"][i + 1]]).any() for i in names]
    under[np.array(blocked) | ~c["may_buy"][names.start : names.stop]] = 0.0
    wanted = under * min(1.0, max(0.0, cash) / max(under.sum(), 1e-12))
    step = c["step"][names.start : names.stop]
    wanted = np.where(step > 0, np.floor(wanted / np.where(step > 0, step, 1)) * step, wanted)
    bought[names.start : names.stop] = np.where(wanted < max(least, 1e-9), 0.0, wanted)

answer = pa.record_batch({"sold": pa.array([sold.tolist()]), "bought": pa.array([bought.tolist()])})
with pa.ipc.new_stream(sys.stdout.buffer, answer.schema) as stream:
    stream.write_batch(answer)
