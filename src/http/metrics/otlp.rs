//! Families as OTLP's metrics: the same names, labels and values as the text has.

use std::time::Duration;

use chrono::{DateTime, Utc};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};

use super::exposition::{Family, Figure, Kind, Sample};

/// What is counted is counted since ever.
const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

impl Family {
    /// Returns the family as a metric of OTLP, as of `now`.
    #[must_use]
    pub fn otlp(&self, now: DateTime<Utc>) -> Metric {
        let at = now.timestamp_nanos_opt().and_then(|at| at.try_into().ok()).unwrap_or_default();
        let numbers = || self.samples.iter().filter_map(|sample| sample.number(at)).collect();
        let data = match self.kind {
            Kind::Gauge => Data::Gauge(Gauge { data_points: numbers() }),
            Kind::Counter => Data::Sum(Sum {
                data_points: numbers(),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            }),
            Kind::Histogram => Data::Histogram(Histogram {
                data_points: self.samples.iter().filter_map(|sample| sample.buckets(at)).collect(),
                aggregation_temporality: CUMULATIVE,
            }),
        };
        Metric {
            name: self.name.to_owned(),
            description: self.help.to_owned(),
            data: Some(data),
            ..Metric::default()
        }
    }
}

impl Sample {
    fn number(&self, at: u64) -> Option<NumberDataPoint> {
        let Figure::Number(number) = self.figure else { return None };
        Some(NumberDataPoint {
            attributes: self.attributes(),
            time_unix_nano: at,
            value: Some(Number::AsInt(number)),
            ..NumberDataPoint::default()
        })
    }

    fn buckets(&self, at: u64) -> Option<HistogramDataPoint> {
        let Figure::Buckets { buckets, millis } = &self.figure else { return None };
        let bounds = buckets.iter().filter_map(|(bound, _)| bound.parse().ok());
        Some(HistogramDataPoint {
            attributes: self.attributes(),
            time_unix_nano: at,
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: Some(Duration::from_millis(*millis).as_secs_f64()),
            bucket_counts: buckets.iter().map(|(_, count)| *count).collect(),
            // The last bucket has none.
            explicit_bounds: bounds.filter(|bound: &f64| bound.is_finite()).collect(),
            ..HistogramDataPoint::default()
        })
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let said = |said: &str| AnyValue { value: Some(Value::StringValue(said.to_owned())) };
        let labels = self.labels.iter().map(|(label, text)| KeyValue {
            key: (*label).to_owned(),
            value: Some(said(text)),
            ..KeyValue::default()
        });
        labels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(family: &Family) -> HistogramDataPoint {
        match family.otlp(DateTime::from_timestamp_millis(1_500).unwrap()).data {
            Some(Data::Histogram(mut histogram)) => histogram.data_points.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_histogram_has_each_bucket_by_itself() {
        let mut family = Family::histogram("x", "y");
        family.add_buckets(&[("p", "q")], vec![("0.5", 2), ("1", 0), ("+Inf", 1)], 61_005);
        let point = point(&family);
        assert_eq!(point.bucket_counts, [2, 0, 1]);
        assert_eq!(point.explicit_bounds, [0.5, 1.0]);
        assert_eq!((point.count, point.sum), (3, Some(61.005)));
        assert_eq!(point.time_unix_nano, 1_500_000_000);
        assert_eq!(point.attributes[0].key, "p");
    }
}
