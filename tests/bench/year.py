"""A made-up year of klines and funding, in the layout of the public data files: what loading is measured with.

usage: year.py FOLDER [COINS] [DAYS]      (writes FOLDER/klines and FOLDER/funding)
"""
import os
import random
import sys

HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
BEGIN, STEP, HOURS_8 = 1_735_689_600_000, 300_000, 8 * 3_600_000


def coin(folder, name, price, digits, days, chance):
    """A walk of so many days; one coin in four is listed late, one in four has gaps."""
    number = int(name[1:3])
    begin = BEGIN + (days // 3) * 86_400_000 if number % 4 == 1 else BEGIN
    end = BEGIN + days * 86_400_000
    with open(f"{folder}/klines/{name}-5m.csv", "w", encoding="ascii") as file:
        file.write(HEADER)
        for time in range(begin, end, STEP):
            opened, price = price, price * (1 + chance.gauss(0, 0.002))
            if number % 4 == 3 and chance.random() < 0.0001:
                continue
            high, low = max(opened, price) * 1.0005, min(opened, price) * 0.9995
            volume = chance.uniform(10, 100_000)
            worth = volume * price
            file.write(f"{time},{opened:.{digits}f},{high:.{digits}f},{low:.{digits}f},{price:.{digits}f},{volume:.3f},"
                       f"{time + STEP - 1},{worth:.5f},{chance.randrange(1, 9999)},{volume / 2:.3f},{worth / 2:.5f},0\n")
    with open(f"{folder}/funding/{name}-fundingRate.csv", "w", encoding="ascii") as file:
        file.write("calc_time,funding_interval_hours,last_funding_rate\n")
        for time in range(begin, end, HOURS_8):
            file.write(f"{time + chance.randrange(0, 9)},8,{chance.gauss(0.0001, 0.0001):.8f}\n")


def main():
    folder = sys.argv[1]
    coins = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    days = int(sys.argv[3]) if len(sys.argv) > 3 else 365
    for kind in ("klines", "funding"):
        os.makedirs(f"{folder}/{kind}", exist_ok=True)
    chance = random.Random(7)
    for number in range(coins):
        digits = (1, 2, 4, 5, 7)[number % 5]
        coin(folder, f"C{number:02}USDT", chance.uniform(1, 9) * 10 ** (4 - digits), digits, days, chance)


main()
