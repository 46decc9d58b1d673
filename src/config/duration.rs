//! Durations as people write them: `90s`, `15m`, `24h`, `30d`, `2w`.

use chrono::TimeDelta;

/// Reads a duration; none where it is not one, or longer than ten years.
#[must_use]
pub fn parse(text: &str) -> Option<TimeDelta> {
    let text = text.trim();
    let unit = text.chars().last()?;
    let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let duration = TimeDelta::try_seconds(number.checked_mul(seconds)?)?;
    (number >= 0 && duration <= TimeDelta::days(3660)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        assert_eq!(parse("30d"), Some(TimeDelta::days(30)));
        assert_eq!(parse(" 90 s "), Some(TimeDelta::seconds(90)));
        assert_eq!(parse("2w"), Some(TimeDelta::days(14)));
        for wrong in
            ["", "d", "30", "-1d", "1.5h", "30 days", "9999999999999999999d", "400000d", "3é"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
